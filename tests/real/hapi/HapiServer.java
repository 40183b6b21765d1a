import ca.uhn.fhir.batch2.api.IJobMaintenanceService;
import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.IDaoRegistry;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binary.provider.BinaryAccessProvider;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.config.util.ResourceCountCacheUtil;
import ca.uhn.fhir.jpa.dao.FulltextSearchSvcImpl;
import ca.uhn.fhir.jpa.dao.IFulltextSearchSvc;
import ca.uhn.fhir.jpa.dao.search.HSearchSortHelperImpl;
import ca.uhn.fhir.jpa.dao.search.IHSearchSortHelper;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.provider.DaoRegistryResourceSupportedSvc;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.search.IStaleSearchDeletingSvc;
import ca.uhn.fhir.jpa.search.StaleSearchDeletingSvcImpl;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.util.ResourceCountCache;
import ca.uhn.fhir.rest.api.IResourceSupportedSvc;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.util.Properties;
import javax.sql.DataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.h2.jdbcx.JdbcConnectionPool;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * HAPI FHIR JPA (R4) on the loopback interface, with Bulk Data export, over a database in memory.
 *
 * <p>It listens on a port that the system gives, prints {@code READY <base URL>} on standard output once it answers,
 * and ends when its standard input ends: a test that dies does not leave a server behind.
 */
@Configuration
@Import({
  JpaR4Config.class,
  ThreadPoolFactoryConfig.class,
  JpaBatch2Config.class,
  Batch2JobsConfig.class,
  SubscriptionChannelConfig.class
})
public class HapiServer {
  private static final int CONNECTIONS = 40;
  private static final int RESOURCES_PER_FILE = 1000;

  @Bean
  public DataSource dataSource() {
    JdbcConnectionPool pool = JdbcConnectionPool.create("jdbc:h2:mem:hapi;DB_CLOSE_DELAY=-1", "sa", "");
    pool.setMaxConnections(CONNECTIONS);
    return pool;
  }

  @Bean
  public JpaStorageSettings jpaStorageSettings() {
    JpaStorageSettings settings = new JpaStorageSettings();
    // The sample refers to what it does not hold, and every resource keeps the id that it has.
    settings.setEnforceReferentialIntegrityOnWrite(false);
    settings.setEnforceReferentialIntegrityOnDelete(false);
    settings.setAllowExternalReferences(true);
    settings.setResourceClientIdStrategy(JpaStorageSettings.ClientIdStrategyEnum.ANY);
    settings.setEnableTaskBulkExportJobExecution(true);
    settings.setJobFastTrackingEnabled(true);
    // Several files of one type.
    settings.setBulkExportFileMaximumCapacity(RESOURCES_PER_FILE);
    settings.setHibernateSearchIndexSearchParams(false);
    settings.setHibernateSearchIndexFullText(false);
    return settings;
  }

  @Bean
  public PartitionSettings partitionSettings() {
    return new PartitionSettings();
  }

  @Bean
  public SubscriptionSettings subscriptionSettings() {
    return new SubscriptionSettings();
  }

  @Bean
  public IFulltextSearchSvc fullTextSearchSvc() {
    return new FulltextSearchSvcImpl();
  }

  @Bean
  public IStaleSearchDeletingSvc staleSearchDeletingSvc() {
    return new StaleSearchDeletingSvcImpl();
  }

  @Bean
  public DatabaseBackedPagingProvider databaseBackedPagingProvider() {
    return new DatabaseBackedPagingProvider();
  }

  @Bean
  public IResourceSupportedSvc resourceSupportedSvc(IDaoRegistry registry) {
    return new DaoRegistryResourceSupportedSvc(registry);
  }

  @Bean(name = "myResourceCountsCache")
  public ResourceCountCache resourceCountsCache(IFhirSystemDao<?, ?> dao) {
    return ResourceCountCacheUtil.newResourceCountCache(dao);
  }

  @Bean
  public IHSearchSortHelper hSearchSortHelper(ISearchParamRegistry registry) {
    return new HSearchSortHelperImpl(registry);
  }

  @Primary
  @Bean
  public IBinaryStorageSvc databaseBinaryStorageSvc() {
    return new DatabaseBinaryContentStorageSvcImpl();
  }

  @Primary
  @Bean
  public LocalContainerEntityManagerFactoryBean entityManagerFactory(
      DataSource dataSource,
      ConfigurableListableBeanFactory beans,
      FhirContext context,
      JpaStorageSettings settings) {
    LocalContainerEntityManagerFactoryBean factory =
        HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
    Properties properties = new Properties();
    properties.put("hibernate.dialect", "ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect");
    properties.put("hibernate.hbm2ddl.auto", "update");
    properties.put("hibernate.search.enabled", "false");
    properties.put("hibernate.cache.use_query_cache", "false");
    properties.put("hibernate.cache.use_second_level_cache", "false");
    factory.setJpaProperties(properties);
    factory.setPersistenceUnitName("HAPI_PU");
    factory.setDataSource(dataSource);
    return factory;
  }

  @Primary
  @Bean
  public JpaTransactionManager transactionManager(EntityManagerFactory factory) {
    return new JpaTransactionManager(factory);
  }

  public static void main(String[] arguments) throws Exception {
    Server jetty = new Server();
    ServerConnector connector = new ServerConnector(jetty);
    connector.setHost("127.0.0.1");
    connector.open();
    String base = "http://127.0.0.1:" + connector.getLocalPort() + "/fhir";
    jetty.addConnector(connector);

    AnnotationConfigApplicationContext beans = new AnnotationConfigApplicationContext(HapiServer.class);
    ServletContextHandler handler = new ServletContextHandler("/");
    handler.addServlet(new ServletHolder(restfulServer(beans, base)), "/fhir/*");
    jetty.setHandler(handler);
    jetty.start();
    keepJobsMoving(beans.getBean(IJobMaintenanceService.class));
    System.out.println("READY " + base);

    while (System.in.read() >= 0) {
      // Nothing is said on it: it only ends.
    }
    System.exit(0);
  }

  private static RestfulServer restfulServer(AnnotationConfigApplicationContext beans, String base) {
    RestfulServer server = new RestfulServer(beans.getBean(FhirContext.class));
    server.registerProviders(beans.getBean(ResourceProviderFactory.class).createProviders());
    server.registerProvider(beans.getBean(IJpaSystemProvider.class));
    server.registerProvider(beans.getBean(BulkDataExportProvider.class));
    // The files of an export are Binary resources.
    server.registerProvider(beans.getBean(BinaryAccessProvider.class));
    server.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
    server.setServerAddressStrategy(new HardcodedServerAddressStrategy(base));
    server.setServerConformanceProvider(
        new JpaCapabilityStatementProvider(
            server,
            beans.getBean(IFhirSystemDao.class),
            beans.getBean(JpaStorageSettings.class),
            beans.getBean(ISearchParamRegistry.class),
            beans.getBean("myJpaValidationSupportChain", IValidationSupport.class)));
    return server;
  }

  /** A whole server has a scheduler for this; without it the steps of an export wait for minutes. */
  private static void keepJobsMoving(IJobMaintenanceService maintenance) {
    Thread thread =
        new Thread(
            () -> {
              while (true) {
                try {
                  Thread.sleep(500);
                  maintenance.forceMaintenancePass();
                } catch (InterruptedException e) {
                  return;
                } catch (RuntimeException e) {
                  System.err.println("job maintenance: " + e);
                }
              }
            });
    thread.setDaemon(true);
    thread.start();
  }
}
